"""`make bench`: how long things take, as ratios to a `pulumi up` that changes nothing, in one run."""
