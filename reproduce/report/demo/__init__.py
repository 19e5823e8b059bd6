"""A page to play with trained networks: draw, see styles, walk between them."""
