"""Topics: what the program knows, each in a folder of the name that its rules have under rules/.

Whoever imports one has imported all, so that every fact is declared.
"""

from importlib import import_module
from pkgutil import walk_packages

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
