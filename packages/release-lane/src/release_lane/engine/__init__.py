"""What the Pulumi engine reports and keeps, read into plain values. Pure."""
