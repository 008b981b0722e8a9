"""Berlin Group NextGenPSD2 1.3.12 (psd2-api_v1.3.12-2022-07-06.yaml): SEPA credit transfers."""
