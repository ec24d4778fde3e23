"""Speed as ratios: each number of ours is measured beside a named peer, in turn, in the same run."""
