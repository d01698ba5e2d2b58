"""Chrome JSON traces, as PyTorch and Kineto write them.

`reader.read` sanitizes and decodes the text of a file, batch by batch, into the columns of a
`Trace`. `reread.batch_texts` gives the same batches as text again, to be copied or edited.
"""
