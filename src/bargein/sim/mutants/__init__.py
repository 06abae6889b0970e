"""The errors that a colleague might make in the client, one a rule, kept as text.

A mutant is data, never a switch in the core: a piece of a module's source and what stands there
instead. `catalogue.py` reads them, `lab/mutation.py` applies them, `bargein sim mutants` plays
conversations with each until an invariant breaks. One that lives means that an invariant is
missing, that the dice never bring about what the rule is for, or that the rule is not needed.
"""
