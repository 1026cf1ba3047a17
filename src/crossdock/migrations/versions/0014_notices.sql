-- Goods expected name the whole notice they come from: what a mended part wrote named the part.

WITH RECURSIVE above AS (
    SELECT d.id AS part, d.id, d.parent_id
    FROM document d WHERE d.parent_id IS NOT NULL AND d.id IN (SELECT document_id FROM expected_stock)
    UNION ALL
    SELECT a.part, d.id, d.parent_id FROM above a JOIN document d ON d.id = a.parent_id
)
UPDATE expected_stock e SET document_id = a.id FROM above a WHERE a.part = e.document_id AND a.parent_id IS NULL;
