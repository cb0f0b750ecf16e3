"""`benchtool data check`: whether a dataset is what its manifest says, and whether a scene has leaked from one split into another."""
