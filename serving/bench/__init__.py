"""The live path, measured from outside: `riskee bench live`. Nothing here is part of the running product."""
