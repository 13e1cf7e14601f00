"""The demo: sample data, three business days through the whole platform, and the audit."""

import libs  # noqa: F401  # one BLAS thread, before the sample loads numpy
