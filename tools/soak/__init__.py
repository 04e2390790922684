"""`make soak`: what a few minutes do not show. Long runs on the local cloud, with everything counted."""
