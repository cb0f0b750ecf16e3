"""Raw development: decode once, exposure curves, tone, colour profiles, DNG reading and writing."""
