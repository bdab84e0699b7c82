-- How long a generation is still kept counts in time that was lived through, as what was made on a DR does: a clock that
-- is set forward must not cost the copy that an operator let be replaced. Those from before begin their 30 days anew.
ALTER TABLE pin ADD COLUMN left_s INTEGER;
UPDATE pin SET left_s = 30 * 86400 WHERE until IS NOT NULL;
ALTER TABLE pin DROP COLUMN until;
