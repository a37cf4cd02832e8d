"""Ray's cluster: joining or starting it, what it has, and what is wrong with its machines; no run in sight."""
