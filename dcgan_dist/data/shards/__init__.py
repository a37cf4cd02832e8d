"""WebDataset shards: where every image lies in them, and how they are written; no Ray.

A shard is a tar of samples; a sample is the neighboring files of one key: `KEY.jpg` (or jpeg, png, webp), `KEY.cls`
with a class number, `KEY.json`. A key ends at the first dot of the file's name, as webdataset has it, and has one
image: its first. What is passed over by these rules is counted and goes with the index, to be told by whoever uses it.
Beside shards of ours lie `dataset.json`, which describes them, and `index.npz`, so that nobody needs to read their
headers again.
"""
