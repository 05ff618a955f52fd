"""The payload of every message, as frozen msgspec Structs; schemas/messages.schema.json is made from them.

Evolution: new fields always carry defaults, no field changes its meaning or unit, unknown fields are ignored. Digests are
64 lower-case hex digits of SHA-256. Times are Unix seconds unless the name says otherwise.
"""
