-- What each customer from :first to :last has, for match_one.py. No trigger runs: what the rows refer to is there.

INSERT INTO biller (id, name, country, name_key, state, vetted_since, sequence, created_at)
SELECT 'blr_' || k, 'Trams', 'GB', 'trams', 'vetted', now(), 0, now()
FROM generate_series(0, 1) AS k
ON CONFLICT DO NOTHING;

INSERT INTO shown_text (sha256, language, what, text, first_at)
VALUES ('0', 'en', 'agree', '[]', now())
ON CONFLICT DO NOTHING;

INSERT INTO customer (id, name, email, time_zone, locale, demo, created_at)
SELECT 'cus_' || lpad(to_hex(n), 32, '0'), 'Camille', 'c' || n || '@example.org', 'Europe/London', 'en', false, now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n;

INSERT INTO consent (id, customer_id, kind, bank_id, bank_consent_id, state, sca, created_at, expires_at)
SELECT 'con_' || lpad(to_hex(n * 2 + k), 32, '0'), 'cus_' || lpad(to_hex(n), 32, '0'), 'standing', 'albion',
       'vrp-' || n * 2 + k, 'authorised', '{}', now(), now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n, generate_series(0, 1) AS k;

INSERT INTO standing (consent_id, customer_id, biller_id, bank_id, purpose, payee_name, payee_iban, currency,
                      each_minor, limits, vrp_type, days, begins_on, shown_hash, evidence, agreed_at, request_id,
                      method, path, headers, body, sends, sequence)
SELECT 'con_' || lpad(to_hex(n * 2 + k), 32, '0'), 'cus_' || lpad(to_hex(n), 32, '0'), 'blr_' || k, 'albion', 'Bills',
       'Trams', 'GB33BUKB20201555555555', 'GBP', 5000,
       '[{"period"\: "month", "alignment"\: "calendar", "minor"\: 20000},
         {"period"\: "week", "alignment"\: "consent", "minor"\: 10000}]',
       'other', 'UTC', date '2026-01-01', '0', '{}', now(), 'req-' || n * 2 + k, 'POST', '/consents', '{}', '', 1, 3
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n, generate_series(0, 1) AS k;

-- of three months: the periods that are over are never read
INSERT INTO consent_usage (consent_id, number, first, last, limit_minor, used_minor)
SELECT 'con_' || lpad(to_hex(n * 2 + k), 32, '0'), 0, CAST(m AS date), CAST(m + interval '1 month - 1 day' AS date),
       20000, 3000
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n, generate_series(0, 1) AS k,
     generate_series(date_trunc('month', now()) - interval '2 months', date_trunc('month', now()),
                     interval '1 month') AS m;

INSERT INTO invoice (id, bill_id, customer_id, biller_id, number, state, currency, amount_minor, credited_minor,
                     retracted_minor, sequence, discount_minor, issued_on, due_on, means, means_details, payee_name,
                     payee_iban, number_letters, reference_letters, lines, received_at, opened_at, seen_at)
SELECT 'inv_' || lpad(to_hex(n * 2 + k), 32, '0'), 'bill_' || n * 2 + k, 'cus_' || lpad(to_hex(n), 32, '0'),
       'blr_' || k, 'n' || n, 'to_pay', 'GBP', 4000 + k * 2000, 0, 0, 0, 0, CAST(now() AS date),
       CAST(now() AS date) + 14, 'credit_transfer', '{}', 'Trams', 'GB33BUKB20201555555555', '', '', '[]', now(),
       now(), now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n, generate_series(0, 1) AS k;

INSERT INTO pay_first (customer_id, biller_id, consent_id, chosen_at)
SELECT 'cus_' || lpad(to_hex(n), 32, '0'), 'blr_0', 'con_' || lpad(to_hex(n * 2), 32, '0'), now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n;

INSERT INTO customer_bank (customer_id, bank_id, rank, added_at)
SELECT 'cus_' || lpad(to_hex(n), 32, '0'), 'albion', 1, now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n;

INSERT INTO stop (id, customer_id, session_id, at)
SELECT 'stp_' || n, 'cus_' || lpad(to_hex(n), 32, '0'), 'ses_1', now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n
WHERE n % 100 = 0;
