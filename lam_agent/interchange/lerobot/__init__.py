"""LeRobotDataset v3.0: parquet files and videos, in and out."""
