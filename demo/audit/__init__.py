"""The audit: a separate program that reads only out/demo (the .jsonl files, their schemas, summary.json) and checks every order
against every rule.  It shares with the platform the contract of the events and exact arithmetic, and nothing that decides.

layout         which types stand in which file, and the JSON Schema of each
schema_check   a line against its file's schema
evidence       the files, read once and indexed
legs           one account's part of one order with all that it was decided on
screens washes lots cash blocks fills conservation pins: the rules, by family; rules: the list of them
"""
