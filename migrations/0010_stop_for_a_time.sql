-- A STOP that ends by itself: when. NULL where the row is ON, or waits for somebody to press START.
ALTER TABLE sync_switch ADD COLUMN off_until TEXT;
