"""Words and plain things every other part stands on: specs, catalog, manifest, images, files, pool. Imports nothing of ours."""
