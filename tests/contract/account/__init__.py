"""`make aws-check`: the contract suite against a real account, by a person, who is told first what it costs.

    prices    what a run may cost, from AWS's price pages (pure)
    refusing  all that must be right before anything is made (pure)
    report    what held and what did not (pure)
    world     AWS, Docker, the terminal and the suite, behind one protocol
    command   tell, ask, try, clean up, report

It makes everything under names with a random mark, in a VPC of its own, and removes all of it at the end, whatever
became of the suite. What a killed run left is listed by `--leftovers` and removed by `--remove`.
"""
