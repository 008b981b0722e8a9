"""The database: engine, unit of work, events, durable work, migrations. It knows no stage of the journey."""
