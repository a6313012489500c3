"""Jobs: create -> plan -> submit -> observe -> finish; versions, logs, outputs."""
