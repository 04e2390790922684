"""What the command decides and says: review, recovery, abort, watch, notices. Pure."""
