"""What AWS does that something here relies on: each behaviour stated once, with its source, and tested.

    contracts   what a contract is; every test of a behaviour carries one
    page        docs/contract.md, made of them
    aws         where the suite runs: the local cloud, or a real account
    stage       what the tests stand on: network, cluster, role, registry, images, load balancer
    leftovers   finds and removes all that a run made
    account/    `make aws-check`: the same suite against a real account
    actor/      the container that does what a test tells it

A new contract is a test with `@contract(…)` in the file of its service; then `make contract`.
"""
