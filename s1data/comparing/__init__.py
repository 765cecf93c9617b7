"""Finished runs and pushed sets side by side, and beside baselines of stated populations.

`held` reads what a run says of its rows, `populations` names the rows a set could be drawn from,
`baselines` draws sets from them, `seeds` runs the run's own selector again, `nearness` holds a
population against a set in embedding space, and `comparison` puts the figures together. None of
them predicts accuracy, and no set is called better.
"""

from s1data.comparing.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
