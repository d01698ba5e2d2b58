-- Types of tensors, as `Input type` names them.

-- Each type: its size, whether it is a float, and which of a GPU's peaks it computes at.
CREATE PERFETTO TABLE tpt_dtype(
  -- Its name in C++: c10::BFloat16, float, long int.
  name STRING,
  -- Bytes of an element.
  bytes LONG,
  -- 1: a float of 16 bits or more, whose sums and products have the wider type; else 0.
  is_float BOOL,
  -- Elements packed in one: 2 for 4-bit floats, else 1.
  packed LONG,
  -- The peak: fp64, fp32, fp16, bf16, fp8, fp4, int8; NULL for others.
  peak STRING
) AS
WITH
  dtype(name, bytes, is_float, packed, peak) AS (
    VALUES
      ('double', 8, 1, 1, 'fp64'),
      ('float', 4, 1, 1, 'fp32'),
      ('c10::Half', 2, 1, 1, 'fp16'),
      ('c10::BFloat16', 2, 1, 1, 'bf16'),
      ('c10::Float8_e4m3fn', 1, 0, 1, 'fp8'),
      ('c10::Float8_e4m3fnuz', 1, 0, 1, 'fp8'),
      ('c10::Float8_e5m2', 1, 0, 1, 'fp8'),
      ('c10::Float8_e5m2fnuz', 1, 0, 1, 'fp8'),
      ('c10::Float8_e8m0fnu', 1, 0, 1, NULL),
      ('c10::Float4_e2m1fn_x2', 1, 0, 2, 'fp4'),
      ('long int', 8, 0, 1, NULL),
      ('long', 8, 0, 1, NULL),
      ('int', 4, 0, 1, NULL),
      ('short int', 2, 0, 1, NULL),
      ('short', 2, 0, 1, NULL),
      ('signed char', 1, 0, 1, 'int8'),
      ('unsigned char', 1, 0, 1, NULL),
      ('bool', 1, 0, 1, NULL)
  )
SELECT name, bytes, is_float, packed, peak FROM dtype;
