"""STET PSD2 1.4 (stet-psd2-api-v1.4-swagger2.yaml): SEPA credit transfers at French banks."""
