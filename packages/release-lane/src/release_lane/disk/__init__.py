"""What both the command and the program need of this machine: git, the tree of a commit as files, scratch folders."""
