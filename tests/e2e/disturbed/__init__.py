"""The platform under disturbance: every service its own process, killed at named points and at any time, on real servers that stop too.

`driver` plays the business days of a small book over HTTP and Kafka, as custodians and people would; `supervisor` starts the processes and
restarts what died; `process` is what runs in each, with the fault points of `faults`; `outcome` reads what came of it all, so that two
runs can be compared.  Product code knows nothing of this: faults are wrapped around it, in its own process.
"""

import libs  # noqa: F401  # one BLAS thread, before the sample loads numpy
