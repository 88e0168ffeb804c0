"""What tests share: small fakes at outer protocols, tiny models, synthetic runs."""
