"""The attack: hostile inputs of every sort against the program, one judge, one minimiser.

`python -m tests.attack --help` says how it is run. Each input is a function of sort, seed and number alone, so that
`--again SORT:SEED:NUMBER` makes any of them once more.
"""
