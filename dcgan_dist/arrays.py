"""Names for the arrays that modules hand each other; importing them costs nothing but NumPy."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8 [n, S, S, 3], or [S, S, 3] where it is one picture."""
