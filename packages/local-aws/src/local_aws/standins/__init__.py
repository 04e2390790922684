"""Provider plugins for the local cloud, in place of the official ones that a closed network cannot download.

They serve the same type tokens and property names, so that the Pulumi program is the same; they refuse what
they do not know rather than guess, and they refuse to talk to anything but this machine.
"""
