"""The optimizer service with a decision that needs no solve: what the rest of the way costs, measured by benchmarks/throughput.py.

    python -m benchmarks.pro_rata        (settings as services.optimizer's)

Everything but the decision itself is the product's: the wiring takes another pool, whose workers decode the same inputs.
"""
