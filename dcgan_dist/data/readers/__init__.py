"""From what people and publishers have to pictures with split, class and attributes: one format a file."""
