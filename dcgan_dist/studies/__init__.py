"""Questions about a trained run, each with a number and a picture as the answer."""
