-- The rows of a table in the files that the manifest names. A line of it that names one is
--   "name": "stories/part-00000-0a1b2c3d.parquet",
SELECT *
FROM ${dataset}.${table}_files
WHERE _FILE_NAME IN (
  SELECT CONCAT('${folder}/', REPLACE(TRIM(line, ' ",'), 'name": "', ''))
  FROM ${dataset}.manifest_lines
  WHERE line LIKE '%"name": "${table}/part-%.parquet"%'
)
