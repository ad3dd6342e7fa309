"""What trials can share: fingerprints of training prefixes."""

from tune_regimes.sharing.fingerprint import key_chain, next_key, root_key

__all__ = ["key_chain", "next_key", "root_key"]
