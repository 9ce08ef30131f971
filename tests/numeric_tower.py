"""beartype as the tests use it: an int is accepted where a float is annotated (PEP 484), as type checkers do."""

from beartype import BeartypeConf, beartype

typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
