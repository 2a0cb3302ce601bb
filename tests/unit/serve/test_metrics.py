from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from medistill.serve.metrics import Metrics


def test_a_scraper_reads_what_was_counted() -> None:
    metrics = Metrics(inside=lambda: 3, graph="fp32", identity="ab" * 32)
    metrics.answered("predict", 200, 0.02)
    metrics.answered("predict", 429, 0.001)
    metrics.images(predicted=4, refused=1)
    metrics.batch.observe(4)
    families = text_string_to_metric_families(metrics.text().decode())
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }
    assert found[("medistill_requests_total", "429", "predict")] == 1
    assert found[("medistill_images_total", "predicted")] == 4
    assert found[("medistill_images_total", "refused")] == 1
    assert found[("medistill_inside_images",)] == 3
    assert found[("medistill_batch_images_sum",)] == 4
    assert found[("medistill_bundle", "ab" * 32, "fp32")] == 1


def test_two_services_count_apart() -> None:
    first, second = (Metrics(inside=lambda: 0, graph="g", identity="i") for _ in range(2))
    first.images(predicted=1, refused=0)
    assert b'outcome="predicted"} 1.0' in first.text()
    assert b'outcome="predicted"} 1.0' not in second.text()
