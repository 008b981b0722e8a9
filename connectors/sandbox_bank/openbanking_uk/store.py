"""The tables of the door. The resources have their own; all lie in one SQLite file, written as the other bank's is."""

from __future__ import annotations

from connectors.sandbox_bank.store import Connection, Row, Store

__all__ = ["SCHEMA", "Connection", "Row", "Store"]

#: Secrets stand in it hashed only: who reads the file can pay nothing.
SCHEMA = """
CREATE TABLE IF NOT EXISTS used_jti (
    kind TEXT NOT NULL CHECK (kind IN ('assertion', 'dpop')),
    jti_hash TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, jti_hash)
) STRICT;
CREATE INDEX IF NOT EXISTS used_jti_expires ON used_jti (expires_ms);
CREATE TABLE IF NOT EXISTS nonce (
    nonce_hash TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS pushed (
    request_uri TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    asked TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS visit (
    handle TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    asked TEXT NOT NULL,
    customer_id TEXT,
    pin_failures INTEGER NOT NULL DEFAULT 0,
    outcome TEXT CHECK (outcome IN ('approved', 'refused')),
    created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS code (
    code_hash TEXT PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE REFERENCES visit,
    expires_ms INTEGER NOT NULL,
    spent_ms INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS token (
    token_hash TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    consent_id TEXT,
    customer_id TEXT,
    scope TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    code_hash TEXT REFERENCES code,
    expires_ms INTEGER,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS token_code ON token (code_hash);
CREATE TABLE IF NOT EXISTS refresh_token (
    token_hash TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    consent_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    code_hash TEXT NOT NULL REFERENCES code,
    spent_ms INTEGER,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS refresh_token_consent ON refresh_token (consent_id);
"""
