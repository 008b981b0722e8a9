"""Tests in Debian's Chromium, against the running demo. A package, so that browser and demo end with its last test."""
