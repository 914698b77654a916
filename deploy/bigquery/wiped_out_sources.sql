-- Sources of which a run took four words of five, or more, for furniture: a site that has
-- changed its pages, or a rule that has gone wrong. Few articles prove nothing.
SELECT
  run_id,
  source,
  COUNT(*) AS articles,
  SUM(word_count) AS words_left,
  SUM(removed_word_count) AS words_removed
FROM ${dataset}.articles
GROUP BY run_id, source
HAVING COUNT(*) >= 5 AND SUM(removed_word_count) >= 4 * SUM(word_count)
