"""What the engines of this process share: inboxes, clocks, detokenizing."""
