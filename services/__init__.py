"""The five services and the simulated desk."""

import libs  # noqa: F401  # one BLAS thread, before any service loads numpy
