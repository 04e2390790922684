"""The settings of a stack: one model, and the limits that AWS sets to them."""
