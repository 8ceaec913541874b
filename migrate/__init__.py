"""sifmigrate: job scripts for one cluster in, the same scripts for another cluster out, every change accounted for."""

__version__ = "0.1.0"
