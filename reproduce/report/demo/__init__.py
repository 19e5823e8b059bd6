"""An interactive page for trained networks: draw an input, see and interpolate styles."""
