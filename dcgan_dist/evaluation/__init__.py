"""What a run's networks have learned: linear classifiers on D's features, copies among G's samples; by actors."""
