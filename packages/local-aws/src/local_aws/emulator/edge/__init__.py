"""The load balancer itself: one HAProxy for all load balancers of this cloud, programmed from ELBv2's state.

    render   pure: state -> configuration, weights
    health   pure: what HAProxy says of a server -> target health
    slots    pure: which target sits in which server slot
    runtime  commands to a running HAProxy
    process  HAProxy as a child process: start, take over, end
    ports    who holds an address and port
    driver   applies changes: by command where it can, by a reload that loses no connection where it must

How it behaves, and where AWS differs
- Weights are decided for each request, at random in proportion; a group with weight 0 gets nothing. A change of weights
  is one `set map`, in force for the next request everywhere. A real load balancer takes seconds and is not atomic.
- A change of structure (a listener, a rule, a health check) reloads: new connections see it when the call returns; a
  client that kept a connection open may get one more answer by the old rules on it.
- A new target is `initial` and gets nothing until one check passed; one that was unhealthy needs the whole threshold.
- All targets of a group not healthy: it fails open, requests go to all of them, as on AWS. No target: 503.
- A target that cannot be reached: 502, never hidden by a retry (AWS: 504 if connecting times out). Stickiness: none.
- Draining lasts for the scaled deregistration delay; requests under way may finish even after it.
- Idle time-outs are not scaled, and a health check is given 5 s at least.
  Request headers may be 15 kB in all (AWS: 64 kB).
- Targets are asked by HTTP/1.1 only. One "node" per load balancer, so health is the same for every client.
- HTTPS listeners have the protocols and ciphers of their security policy (elbv2/tls.py), and HTTP/2. Post-quantum key
  exchanges are left out. Another certificate is a change of structure; sessions cannot be resumed across it.
- What speaks plain HTTP to an HTTPS listener is cut off (AWS: 400).
- Access logs: whether the bucket takes them is checked, and AWS's test object is written, but no logs.
"""
